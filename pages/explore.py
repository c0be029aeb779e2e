"""Compose a pipeline, see it truly, take it away as code."""

from augviz.ui import explore, page

with page.boundary():
    explore.show()
