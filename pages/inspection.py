"""Look at the augmented image up to its single pixels."""

from augviz.ui import inspect_page, page

with page.boundary():
    inspect_page.show()
