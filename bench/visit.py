"""A visit that begins with the image and the pipeline named by BENCH_IMAGE and BENCH_PIPELINE."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import streamlit as st

from augviz import saved
from augviz.sources import SourceRef
from augviz.ui import state

if state.KEY not in st.session_state:
    pipeline = saved.loads(os.environ["BENCH_PIPELINE"])
    image = SourceRef("path", os.environ["BENCH_IMAGE"])
    st.session_state[state.KEY] = state.Explore(image, pipeline, opened=os.environ.get("BENCH_OPENED"))

runpy.run_path(str(Path(state.__file__).with_name("shell.py")), run_name="__main__")
