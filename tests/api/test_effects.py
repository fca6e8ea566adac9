"""Effects as a user holds them: one of several is chosen."""

from tests.support.made import arms_fit


def test_choosing_one_of_several_leaves_them_as_they_are():
    fit = arms_fit()
    several, curve = fit.effects(by="site"), fit.sensitivity([-0.2, 0.2], by="site")
    before, line = repr(several), repr(curve)
    one, other = several.where(by="a"), several.where(by="b")
    curve.where(by="a")
    assert (repr(several), repr(curve)) == (before, line)
    assert "averaged over the 20 rows with site = a" in repr(one)
    assert "the 40 rows with site = b" in repr(other) and "site = a" not in repr(other)
    assert "the 20 rows with site = a" in fit.report(curve.where(by="a"), one)
    assert "site = a minus site = b" in repr(one - other)
    pairs = fit.effects(contrast="pairwise")
    assert "coach against app" in fit.report(effects=pairs.where(contrast="app -> coach"))
    assert "usual against" not in repr(pairs.where(contrast="app -> coach"))
