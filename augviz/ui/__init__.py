"""The Streamlit face of augviz; the only package that imports Streamlit."""
