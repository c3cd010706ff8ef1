"""What every room uses: files and folders that appear whole, text from outside, templates, progress."""
