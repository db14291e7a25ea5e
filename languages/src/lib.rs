//! What engined knows of languages.
