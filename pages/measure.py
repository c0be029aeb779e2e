"""What the pipeline takes at full size, which step costs what, and how other ways compare."""

from augviz.ui import measure_page, page

with page.boundary():
    measure_page.show()
