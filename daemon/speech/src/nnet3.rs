//! Reads a Kaldi nnet3 acoustic model (am/final.mdl) as far as small models need it: affine, ReLU and NoOp components.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::matrix::Matrix;

/// No matrix and no vector of a small model has more values: what says so is damaged.
const MOST_VALUES: usize = 1 << 24;
/// No small model looks farther, in frames of 10 ms.
const FARTHEST: i32 = 300;
/// Nested descriptors end somewhere.
const DEEPEST: u32 = 16;

/// What a component does.
pub enum Component {
    /// Matrix and bias.
    Affine(Matrix),
    /// Nothing is below zero.
    Relu,
    /// Nothing.
    NoOp,
}

/// A node that is taken at another frame (10 ms) and scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Number in `Network::nodes`; 0 is the input.
    pub node: usize,
    /// In frames of 10 ms.
    pub offset: i32,
    /// Factor.
    pub scale: f32,
}

/// Terms that are summed; several parts stand one after the other.
pub type Part = Vec<Term>;

/// A node of the network.
pub struct Node {
    /// Length of its output.
    pub dim: usize,
    /// What goes in.
    pub parts: Vec<Part>,
    /// What is done with it.
    pub component: Component,
}

/// The network, in an order in which every node comes after those that it needs.
pub struct Network {
    /// The first is the input and does nothing.
    pub nodes: Vec<Node>,
}

/// Reads the file's bytes; tells what is wrong with them.
pub fn read(bytes: &[u8]) -> Result<Network, String> {
    let mut reader = Reader { bytes, at: 0 };
    if !bytes.starts_with(b"\0B") {
        return Err("is no binary Kaldi model".into());
    }
    let start = find(bytes, b"<Nnet3> ").ok_or("has no <Nnet3> in it")?;
    reader.at = start + b"<Nnet3> ".len();
    let lines = reader.config()?;
    reader.expect("<NumComponents>")?;
    let n = reader.count("components", 10_000)?;
    let mut components = BTreeMap::new();
    for _ in 0..n {
        reader.expect("<ComponentName>")?;
        let name = reader.token()?.to_owned();
        let component = reader.component()?;
        components.insert(name, component);
    }
    reader.expect("</Nnet3>")?;
    assemble(&lines, components)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|it| it == wanted)
}

fn assemble(lines: &[String], mut components: BTreeMap<String, (Component, usize, usize)>) -> Result<Network, String> {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut nodes: Vec<Node> = Vec::new();
    let mut output = None;
    for line in lines {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "input-node" if nodes.is_empty() => {
                let dim = value(rest, "dim").and_then(|it| it.parse().ok()).ok_or_else(|| odd(line))?;
                names.insert(value(rest, "name").ok_or_else(|| odd(line))?.to_owned(), 0);
                nodes.push(Node { dim, parts: Vec::new(), component: Component::NoOp });
            }
            "component-node" => {
                let get = |key| value(rest, key).ok_or_else(|| odd(line));
                let (name, component) = (get("name")?, get("component")?);
                let input = rest.split_once(" input=").ok_or_else(|| odd(line))?.1;
                let parts = parts(input, &names)?;
                let wide: usize = parts.iter().map(|it| width(it, &nodes)).sum::<Result<usize, String>>()?;
                let known = components.remove(component);
                let (component, wants, gives) = known.ok_or_else(|| format!("has no component `{component}`"))?;
                if wants != wide {
                    return Err(format!("gives {wide} values to `{name}`, which takes {wants}"));
                }
                names.insert(name.to_owned(), nodes.len());
                nodes.push(Node { dim: gives, parts, component });
            }
            "output-node" => {
                let input = rest.split_once("input=").ok_or_else(|| odd(line))?.1;
                let input = input.split(" objective").next().unwrap_or(input);
                let at = names.get(input.trim()).ok_or_else(|| odd(line))?;
                output = output.or(Some(*at));
            }
            _ => return Err(odd(line)),
        }
    }
    let last = output.ok_or("has no output")?;
    nodes.truncate(last + 1);
    if last == 0 {
        return Err("has no layers".into());
    }
    Ok(Network { nodes })
}

fn odd(line: &str) -> String {
    format!("has a network that is not understood: `{}`", line.chars().take(80).collect::<String>())
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split(' ').find_map(|it| it.strip_prefix(key)?.strip_prefix('='))
}

fn width(part: &Part, nodes: &[Node]) -> Result<usize, String> {
    let mut widths = part.iter().map(|it| nodes[it.node].dim);
    let first = widths.next().unwrap_or(0);
    if widths.all(|it| it == first) { Ok(first) } else { Err("adds layers of different width".into()) }
}

/// `Append(Offset(a, -3), Sum(Scale(0.5, a), b))` and the like, as sums that stand one after the other.
fn parts(text: &str, names: &BTreeMap<String, usize>) -> Result<Vec<Part>, String> {
    let (parts, rest) = descriptor(text, names, 0).ok_or_else(|| odd(text))?;
    let far = parts.iter().flatten().any(|it| it.offset.abs() > FARTHEST || !it.scale.is_finite());
    if rest.trim().is_empty() && !far { Ok(parts) } else { Err(odd(text)) }
}

fn descriptor<'a>(text: &'a str, names: &BTreeMap<String, usize>, depth: u32) -> Option<(Vec<Part>, &'a str)> {
    if depth > DEEPEST {
        return None;
    }
    let text = text.trim_start();
    let end = text.find(['(', ',', ')']).unwrap_or(text.len());
    let (word, rest) = (text[..end].trim_end(), &text[end..]);
    let Some(rest) = rest.strip_prefix('(') else {
        let node = *names.get(word)?;
        return Some((vec![vec![Term { node, offset: 0, scale: 1.0 }]], rest));
    };
    let inner = |text| descriptor(text, names, depth + 1);
    match word {
        "Append" => {
            let (mut parts, mut rest) = inner(rest)?;
            while let Some(more) = rest.strip_prefix(',') {
                let (others, after) = inner(more)?;
                parts.extend(others);
                rest = after;
            }
            Some((parts, rest.strip_prefix(')')?))
        }
        "Sum" => {
            let (mut parts, mut rest) = inner(rest)?;
            while let Some(more) = rest.strip_prefix(',') {
                let (others, after) = inner(more)?;
                if parts.len() != others.len() {
                    return None;
                }
                parts.iter_mut().zip(others).for_each(|(part, other)| part.extend(other));
                rest = after;
            }
            Some((parts, rest.strip_prefix(')')?))
        }
        "Offset" => {
            let (mut parts, rest) = inner(rest)?;
            let (by, rest) = number::<i32>(rest.strip_prefix(',')?)?;
            for it in parts.iter_mut().flatten() {
                it.offset = it.offset.checked_add(by)?;
            }
            Some((parts, rest))
        }
        "Scale" => {
            let (factor, rest) = rest.split_once(',')?;
            let factor: f32 = factor.trim().parse().ok()?;
            let (mut parts, rest) = inner(rest)?;
            parts.iter_mut().flatten().for_each(|it| it.scale *= factor);
            Some((parts, rest.strip_prefix(')')?))
        }
        _ => None,
    }
}

/// A number and the bracket that closes behind it.
fn number<T: FromStr>(text: &str) -> Option<(T, &str)> {
    let (number, rest) = text.split_once(')')?;
    Some((number.trim().parse().ok()?, rest))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|it| *it <= self.bytes.len()).ok_or("ends too early")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("as many as were asked for"))
    }

    fn token(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(200).position(|it| *it == b' ').ok_or_else(|| self.bad("a token"))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| self.bad("a token"))
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        let at = self.at;
        match self.token() {
            Ok(it) if it == token => Ok(()),
            _ => Err(format!("is damaged at byte {at}: no {token}")),
        }
    }

    fn bad(&self, what: &str) -> String {
        format!("is damaged at byte {}: no {what}", self.at)
    }

    /// A number of four bytes with its size before it.
    fn sized(&mut self) -> Result<[u8; 4], String> {
        match self.take(1)? {
            [4] => self.array(),
            _ => Err(self.bad("number")),
        }
    }

    fn float(&mut self) -> Result<f32, String> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    fn count(&mut self, what: &str, most: usize) -> Result<usize, String> {
        let n = i32::from_le_bytes(self.sized()?);
        usize::try_from(n).ok().filter(|it| *it <= most).ok_or_else(|| self.bad(what))
    }

    fn config(&mut self) -> Result<Vec<String>, String> {
        let end = find(&self.bytes[self.at..], b"\n\n").ok_or("ends too early")?;
        let text = std::str::from_utf8(self.take(end)?).map_err(|_| self.bad("text"))?;
        self.at += 2;
        Ok(text.lines().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect())
    }

    /// A component, how many values it takes and how many it gives.
    fn component(&mut self) -> Result<(Component, usize, usize), String> {
        let kind = self.token()?;
        let read = match kind {
            "<FixedAffineComponent>" => {
                self.expect("<LinearParams>")?;
                let (rows, columns, values) = self.matrix()?;
                self.expect("<BiasParams>")?;
                let bias = self.vector()?;
                if bias.len() != rows || values.iter().chain(&bias).any(|it| !it.is_finite()) {
                    return Err(self.bad("fitting bias"));
                }
                (Component::Affine(Matrix::new(rows, columns, &values, &bias)), columns, rows)
            }
            "<RectifiedLinearComponent>" => {
                self.expect("<Dim>")?;
                let dim = self.count("dimension", MOST_VALUES)?;
                for token in ["<ValueAvg>", "<DerivAvg>"] {
                    self.expect(token)?;
                    self.vector()?;
                }
                self.expect("<Count>")?;
                self.sized()?;
                self.expect("<OderivRms>")?;
                self.vector()?;
                for token in ["<OderivCount>", "<NumDimsSelfRepaired>", "<NumDimsProcessed>"] {
                    self.expect(token)?;
                    self.sized()?;
                }
                (Component::Relu, dim, dim)
            }
            "<NoOpComponent>" => {
                self.expect("<Dim>")?;
                let dim = self.count("dimension", MOST_VALUES)?;
                self.expect("<BackpropScale>")?;
                self.sized()?;
                (Component::NoOp, dim, dim)
            }
            _ => return Err(format!("has a component that is not understood: {kind}")),
        };
        self.expect(&format!("</{}", &kind[1..]))?;
        Ok(read)
    }

    fn vector(&mut self) -> Result<Vec<f32>, String> {
        self.expect("FV")?;
        let n = self.count("vector", MOST_VALUES)?;
        Ok(floats(self.take(4 * n)?))
    }

    /// Rows, columns and the values row by row.
    fn matrix(&mut self) -> Result<(usize, usize, Vec<f32>), String> {
        let kind = self.token()?;
        if kind == "FM" {
            let (rows, columns) = (self.count("rows", MOST_VALUES)?, self.count("columns", MOST_VALUES)?);
            let n = self.values(rows, columns)?;
            return Ok((rows, columns, floats(self.take(4 * n)?)));
        }
        if kind != "CM" && kind != "CM2" {
            return Err(format!("has a matrix that is not understood: {kind}"));
        }
        let (low, range) = (self.float()?, self.float()?);
        let mut count = || Ok::<_, String>(usize::try_from(i32::from_le_bytes(self.array()?)).unwrap_or(usize::MAX));
        let (rows, columns) = (count()?, count()?);
        let n = self.values(rows, columns)?;
        let value = |it: u16| low + range / 65_535.0 * f32::from(it);
        if kind == "CM2" {
            let values = self.take(2 * n)?.chunks_exact(2).map(|it| value(u16::from_le_bytes([it[0], it[1]])));
            return Ok((rows, columns, values.collect()));
        }
        let heads = self.take(8 * columns)?;
        let mut values = vec![0.0; n];
        for (column, head) in heads.chunks_exact(8).enumerate() {
            let p: [f32; 4] = std::array::from_fn(|i| value(u16::from_le_bytes([head[2 * i], head[2 * i + 1]])));
            for (row, byte) in self.take(rows)?.iter().enumerate() {
                let it = f32::from(*byte);
                values[row * columns + column] = match byte {
                    0..=64 => p[0] + (p[1] - p[0]) * it / 64.0,
                    65..=192 => p[1] + (p[2] - p[1]) * (it - 64.0) / 128.0,
                    _ => p[2] + (p[3] - p[2]) * (it - 192.0) / 63.0,
                };
            }
        }
        Ok((rows, columns, values))
    }

    fn values(&self, rows: usize, columns: usize) -> Result<usize, String> {
        let n = rows.checked_mul(columns).filter(|it| *it > 0 && *it <= MOST_VALUES && *it <= self.bytes.len());
        n.ok_or_else(|| self.bad("matrix"))
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect()
}
