"""What can go wrong with the embedded servers, each as one line for a person."""


class ServicesError(Exception):
    """A server can not be had; the text is one clear line with the way out."""
