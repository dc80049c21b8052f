//! Pure: desired state against what is known, into a plan.
