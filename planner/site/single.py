"""One trajectory as one page, to mail to a co-author."""

from planner.site.entries import from_trajectory
from planner.site.pages import paper_page
from planner.site.views import paper_view
from planner.trajectory.document import Trajectory


def page(trajectory: Trajectory) -> str:
    """Return a trajectory as a self-contained HTML page."""
    return paper_page(paper_view((from_trajectory(trajectory),)), index="")
