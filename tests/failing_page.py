"""The page of `failing_app`."""

import streamlit as st

st.title("A page")
raise KeyError("patient-4711.tif")
