"""The app's frame: names the pages and runs the chosen one. `app.py` serves this script.

It is no file beside the folder `pages`, or Streamlit would list that folder by itself as long as no visitor has been here
(Streamlit 1.67).
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import streamlit as st

from augviz import __version__
from augviz.ui import about, address, admission, gate, memory_address, upload_tab

SIDEBAR_PX = 200
# A file, since Streamlit 1.67 lets the browser fetch a Material symbol for the tab from a foreign host.
ICON = str(Path(__file__).with_name("icon.svg"))

PAGES = Path(__file__).resolve().parents[2] / "pages"

st.set_page_config(page_title="augviz", page_icon=gate.icon(ICON), layout="wide", initial_sidebar_state=SIDEBAR_PX)
if not (gate.passes() and admission.passes()):
    st.stop()
page = st.navigation(
    [
        st.Page(PAGES / "explore.py", title="Explore", icon=":material/photo_library:", default=True),
        # Not inspect.py: that is a module of Python's own.
        st.Page(PAGES / "inspection.py", title="Inspect", icon=":material/zoom_in:", url_path="inspect"),
        st.Page(PAGES / "measure.py", title="Measure", icon=":material/timer:"),
        st.Page(PAGES / "audit.py", title="Audit", icon=":material/fact_check:"),
        st.Page(PAGES / "memory.py", title="Memory", icon=":material/memory:"),
        st.Page(PAGES / "transforms.py", title="Transforms", icon=":material/menu_book:"),
    ]
)
with st.sidebar:
    st.caption(
        f"augviz {__version__}  \nalbumentationsxl {version('albumentationsxl')}  \n"
        f"Streamlit {st.__version__}  \nPython {platform.python_version()}"
    )
    about.show()
upload_tab.renew()
if page.title not in ("Explore", "Inspect", "Measure"):
    address.leave()
if page.title != "Memory":
    memory_address.leave()
page.run()
