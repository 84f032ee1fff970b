"""The Streamlit app: pages in `views`, charts without Streamlit in `charts`, shared parts in `components`."""
