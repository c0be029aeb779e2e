"""What the pipeline does over a whole data set."""

from augviz.ui import audit_page, page

with page.boundary():
    audit_page.show()
