"""The Streamlit app: pages in `views`; in `shared` what several pages use. Charts are made in `mnist_core.plots`."""
