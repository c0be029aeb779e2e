"""What the library offers, with what is to be known of it."""

from augviz.ui import page, transforms

with page.boundary():
    transforms.show()
