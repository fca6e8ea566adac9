# The two equations by brms, without residual correlation.
library(brms)
data(framing, package = "mediation")
framing$yes <- as.numeric(framing$cong_mesg)
first <- bf(emo ~ treat + age + educ + gender + income)
second <- bf(yes ~ emo + treat + age + educ + gender + income, family = bernoulli("probit"))
print(brm(first + second + set_rescor(FALSE), framing, chains = 4, cores = 2, seed = 1))
