//! How evidence is weighed: a logistic regression, fitted to what is known of some sounds and read from a file of the model.

/// One weight for each of `N` things that were seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights<const N: usize> {
    /// Where nothing was seen.
    pub bias: f32,
    /// Of each.
    pub of: [f32; N],
}

impl<const N: usize> Weights<N> {
    /// Reads a text with `bias` and each name with its weight; a name that is not in it counts nothing.
    pub fn read(text: &str, names: &[&str; N]) -> Result<Self, String> {
        let (mut it, mut bias) = (Self { bias: 0.0, of: [0.0; N] }, false);
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("is cut short: its last line does not end".into());
        }
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            let Some((name, value)) = line.split_once(char::is_whitespace) else {
                if line.is_empty() {
                    continue;
                }
                return Err(format!("has no value in line {}", at + 1));
            };
            let value = value.trim().parse::<f32>().ok().filter(|it| it.is_finite());
            let value = value.ok_or_else(|| format!("has no number in line {}", at + 1))?;
            match names.iter().position(|it| *it == name) {
                Some(i) => it.of[i] = value,
                None if name == "bias" => (it.bias, bias) = (value, true),
                None => return Err(format!("has an unknown name in line {}", at + 1)),
            }
        }
        if bias { Ok(it) } else { Err("has no bias".into()) }
    }

    /// 0 to 1.
    pub fn confidence(&self, evidence: &[f32; N]) -> f32 {
        let sum: f32 = self.bias + self.of.iter().zip(evidence).map(|(a, b)| a * b).sum::<f32>();
        1.0 / (1.0 + (-sum).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_what_is_wrong_with_it_is_told() {
        let read = |text: &str| Weights::read(text, &["long", "sharp"]);
        let it = read("# made by hand\nbias -1\n\nsharp 2 # more\n").unwrap();
        assert_eq!(it, Weights { bias: -1.0, of: [0.0, 2.0] });
        assert!((it.confidence(&[9.0, 0.5]) - 0.5).abs() < 1e-6);
        for (text, what) in [
            ("bias\n", "has no value in line 1"),
            ("\nlong x\n", "has no number in line 2"),
            ("long nan\n", "has no number in line 1"),
            ("short 1\n", "has an unknown name in line 1"),
            ("bias 1\nlong 0.1", "is cut short: its last line does not end"),
            ("long 1\n", "has no bias"),
            ("", "has no bias"),
        ] {
            assert_eq!(read(text), Err(what.to_owned()));
        }
    }
}
