"""What a user of modal_nb writes into a notebook. Run as `__main__`, so that classes travel as those of cells do."""
