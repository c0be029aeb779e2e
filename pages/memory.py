"""What an image, a batch and a DataLoader need in memory, and whether this machine has it."""

from augviz.ui import memory_page, page

with page.boundary():
    memory_page.show()
