//! Every input and action as one line of text.
