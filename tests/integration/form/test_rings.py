"""What a team decides on its receipt rings the workers."""

import pytest

from resultsq.wakeup import Bell
from tests.integration.conftest import Rings
from tests.integration.form.conftest import FILES, Browser


@pytest.fixture
def bell(heard_bell: Bell) -> Bell:
    return heard_bell


def test_what_a_team_decides_about_its_results_is_rung_for(team: Browser, rings: Rings) -> None:
    path = f"/submissions/{team.submit(FILES)}"
    rings(lambda: team.post(f"{path}/withdraw", {}, path))
    rings(lambda: team.post(f"{path}/restore", {}, path))
