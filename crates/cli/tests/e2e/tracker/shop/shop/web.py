"""The shop's own pages."""

HEROES = ["autumn.jpg"]


def home(visit):
    """The picture at the top: another one at every visit."""
    return HEROES[visit % (len(HEROES) - 1)]


def search(words):
    """The address of a search."""
    return "/search?q=" + "+".join(words)


def sitemap(pages):
    """When the site changed last."""
    return max(pages)
