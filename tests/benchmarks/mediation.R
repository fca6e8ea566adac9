# R's mediation package: mediate() with 1000 draws on its own framing data.
library(mediation)
data(framing)
med <- lm(emo ~ treat + age + educ + gender + income, framing)
out <- glm(cong_mesg ~ emo + treat + age + educ + gender + income, framing,
           family = binomial("probit"))
set.seed(1)
print(summary(mediate(med, out, treat = "treat", mediator = "emo", sims = 1000)))
