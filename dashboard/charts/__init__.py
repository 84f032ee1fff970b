"""Charts: functions from a frame to an alt.Chart, without Streamlit."""
