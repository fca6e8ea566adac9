"""The models of two published analyses, flat priors, and models without their warnings."""

import warnings

import bayesmed as bm

FRAMING = {
    "mediator": "emo ~ treat + age + educ + gender + income",
    "outcome": "cong_mesg ~ emo + treat + age + educ + gender + income",
    "treatment": "treat",
    "outcome_family": "probit",
}
JOBS = {
    "mediator": "job_seek ~ treat + econ_hard + sex + age",
    "outcome": "depress2 ~ treat + job_seek + econ_hard + sex + age",
    "treatment": "treat",
}
SETTINGS = {"draws": 2000, "tune": 1000, "chains": 4, "random_seed": 20080, "progress": False}


def quiet_model(data, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.IdentificationWarning)
        return bm.MediationModel(data, **arguments)


def flat_priors(data, **arguments):
    """Priors a thousand times wider than the defaults, and p(sigma) close to 1 / sigma.

    These are the flat priors of the exact posteriors in tests/reference.
    """
    model = quiet_model(data, **arguments)
    wide = {}
    for equation, priors in model.priors_in_use.items():
        wide[equation] = {}
        for name, prior in priors.items():
            if prior.distribution == "Normal":
                own = prior.parameters
                wide[equation][name] = bm.Prior("Normal", mu=own["mu"], sigma=1e3 * own["sigma"])
            else:
                wide[equation][name] = bm.Prior("InverseGamma", alpha=1e-3, beta=1e-3)
    return wide


#: Of a normal equation, so that a fit shares its compiled structure with those by flat_priors.
SIGMA = {"sigma": bm.Prior("InverseGamma", alpha=2.0, beta=1.0)}
BOTH = {"mediator": SIGMA, "outcome": SIGMA}
JOBS_SIGMA = {**JOBS, "priors": BOTH}
QUICK = {"draws": 1000, "tune": 1000, "chains": 4, "random_seed": 7, "progress": False}
