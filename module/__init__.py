"""The filter as the module that is shipped: built, then arranged for size and speed."""
