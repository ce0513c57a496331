"""NO FRONT END: run a notebook and insert the cells; the command line's verbs."""
