//! What can go wrong in the jail, each with what it was doing, on what, why, and what to do about it.
