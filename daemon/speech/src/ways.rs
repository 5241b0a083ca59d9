//! All that may be said, as what it is made of and not as a list: whoever has many names has far more sentences. Plain data.

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A word, lower case.
    Word(String),
    /// Any text of the class with this number.
    Class(usize),
}

/// What may stand in the same places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Words, lower case.
    pub texts: Vec<String>,
    /// Several of them may follow one another, such as digits.
    pub repeats: bool,
}

/// Sentences, and what may be said around each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Framed {
    /// What may be said before, one of each list, in this order.
    pub leads: Vec<Vec<String>>,
    /// The sentences.
    pub sentences: Vec<Vec<Part>>,
    /// What may be said behind.
    pub trails: Vec<String>,
}

/// Everything. More than makes sense may be in it: the judge of the sentences has the last word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// By number.
    pub classes: Vec<Class>,
    /// Of each language, for example.
    pub framed: Vec<Framed>,
}

impl Ways {
    /// Exactly these sentences.
    pub fn list<'a>(sentences: impl IntoIterator<Item = &'a String>) -> Self {
        Self { classes: Vec::new(), framed: vec![Framed::list(sentences)] }
    }

    /// Whether nothing can be said.
    pub fn is_empty(&self) -> bool {
        self.framed.iter().all(|it| it.sentences.is_empty())
    }
}

impl Framed {
    /// Exactly these sentences.
    pub fn list<'a>(sentences: impl IntoIterator<Item = &'a String>) -> Self {
        let parts = |text: &String| text.split_whitespace().map(|it| Part::Word(it.into())).collect();
        Self { sentences: sentences.into_iter().map(parts).collect(), ..Self::default() }
    }
}
