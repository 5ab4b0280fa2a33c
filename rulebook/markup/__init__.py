"""What reports are made of: tables of text, JSON, pages of HTML, axes of pictures; the standard library is enough for all."""
