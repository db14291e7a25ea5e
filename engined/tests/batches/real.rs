//! With the real programs: `engined up`, killed and cut off.
