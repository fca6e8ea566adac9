"""What a notebook shows."""

import re

from tests.support.made import made


def test_html_of_what_a_person_sees_first():
    fit = made()
    for thing in (fit.model, fit, fit.effects(), fit.sensitivity([-0.2, 0.2])):
        html = thing._repr_html_()
        assert html.startswith("<") and "treat" in html
        assert not re.search(r"<(script|link)|src=", html)
