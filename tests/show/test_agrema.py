"""The checklist."""

from tests.support.made import made


def test_checklist_has_the_25_items():
    fit = made()
    table = fit.checklist(fit.sensitivity([-0.3, 0.0, 0.3]))
    assert len(table) == 25 and table.index[0] == 1
    known = table.set_index("item")["from the fit"]
    assert "80 rows" in known["Sample size"] and "rho*" in known["Sensitivity parameters"]
    assert (table["for you to say"] != "").all()
