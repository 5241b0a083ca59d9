//! Matrix times a few vectors at once, as fast as plain Rust can.

/// Outputs that are computed together: two AVX registers.
const PANEL: usize = 16;
/// Vectors that are multiplied together, as far as there are so many: what a matrix costs is above all to fetch it.
const TOGETHER: usize = 4;

/// A matrix with its bias, kept in panels of 16 rows and in 16 bits: the files have no more.
pub struct Matrix {
    rows: usize,
    columns: usize,
    /// Panel by panel, column by column, `PANEL` rows each.
    panels: Vec<[i16; PANEL]>,
    /// What a weight of one is worth, and the bias, for each row.
    units: Vec<[f32; PANEL]>,
    bias: Vec<[f32; PANEL]>,
}

impl Matrix {
    /// From values row by row; a missing bias is zero.
    pub fn new(rows: usize, columns: usize, values: &[f32], bias: &[f32]) -> Self {
        let n = rows.div_ceil(PANEL);
        let mut panels = vec![[0; PANEL]; n * columns];
        let (mut units, mut biases) = (vec![[0.0; PANEL]; n], vec![[0.0; PANEL]; n]);
        for (row, values) in values.chunks_exact(columns.max(1)).take(rows).enumerate() {
            let unit = values.iter().fold(0.0_f32, |most, it| most.max(it.abs())).max(1e-30) / f32::from(i16::MAX);
            units[row / PANEL][row % PANEL] = unit;
            for (column, value) in values.iter().enumerate() {
                panels[row / PANEL * columns + column][row % PANEL] = (value / unit).round() as i16;
            }
        }
        for (row, value) in bias.iter().take(rows).enumerate() {
            biases[row / PANEL][row % PANEL] = *value;
        }
        Self { rows, columns, panels, units, bias: biases }
    }

    /// Multiplies all vectors in `input`, one after the other, and adds the results to `output`.
    pub fn multiply(&self, input: &[f32], output: &mut Vec<f32>) {
        let n = input.len() / self.columns;
        let from = output.len();
        output.resize(from + n * self.rows, 0.0);
        let output = &mut output[from..];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { self.multiply_avx2(input, output) };
        }
        self.multiply_with(input, output, step);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn multiply_avx2(&self, input: &[f32], output: &mut [f32]) {
        self.multiply_with(input, output, |weight, value, sum| weight.mul_add(value, sum));
    }

    #[inline(always)]
    fn multiply_with(&self, input: &[f32], output: &mut [f32], step: impl Fn(f32, f32, f32) -> f32 + Copy) {
        let (inputs, outputs) = (input.chunks(self.columns * TOGETHER), output.chunks_mut(self.rows * TOGETHER));
        for (input, output) in inputs.zip(outputs) {
            match input.len() / self.columns {
                TOGETHER => self.block::<TOGETHER>(input, output, step),
                3 => self.block::<3>(input, output, step),
                2 => self.block::<2>(input, output, step),
                _ => self.block::<1>(input, output, step),
            }
        }
    }

    #[inline(always)]
    fn block<const N: usize>(&self, input: &[f32], output: &mut [f32], step: impl Fn(f32, f32, f32) -> f32 + Copy) {
        let vectors: [&[f32]; N] = std::array::from_fn(|n| &input[n * self.columns..][..self.columns]);
        for (at, panel) in self.panels.chunks_exact(self.columns).enumerate() {
            let mut sums = [[0.0; PANEL]; N];
            for (column, weights) in panel.iter().enumerate() {
                let weights = weights.map(f32::from);
                for (sum, vector) in sums.iter_mut().zip(&vectors) {
                    let value = vector[column];
                    for (sum, weight) in sum.iter_mut().zip(&weights) {
                        *sum = step(*weight, value, *sum);
                    }
                }
            }
            let first = at * PANEL;
            let (units, bias) = (&self.units[at], &self.bias[at]);
            for (n, sum) in sums.iter().enumerate() {
                let output = &mut output[n * self.rows..][..self.rows];
                for (((out, sum), unit), bias) in output[first..].iter_mut().zip(sum).zip(units).zip(bias) {
                    *out = sum * unit + bias;
                }
            }
        }
    }
}

/// Every ARM with 64 bits can multiply and add at once; the oldest x86 cannot.
#[inline(always)]
fn step(weight: f32, value: f32, sum: f32) -> f32 {
    if cfg!(target_arch = "aarch64") { weight.mul_add(value, sum) } else { weight * value + sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_multiplies() {
        let (rows, columns) = (37, 5);
        let values: Vec<f32> = (0..rows * columns).map(|i| (i as f32).sin()).collect();
        let bias: Vec<f32> = (0..rows).map(|i| i as f32).collect();
        let matrix = Matrix::new(rows, columns, &values, &bias);
        for n in 0..10 {
            let input: Vec<f32> = (0..n * columns).map(|i| (i as f32).cos()).collect();
            let mut output = vec![7.0];
            matrix.multiply(&input, &mut output);
            assert_eq!(output.len(), 1 + n * rows);
            for (i, found) in output[1..].iter().enumerate() {
                let (vector, row) = (&input[i / rows * columns..][..columns], i % rows);
                let expected: f32 = bias[row] + (0..columns).map(|it| values[row * columns + it] * vector[it]).sum::<f32>();
                assert!((found - expected).abs() < 1e-3);
            }
        }
    }
}
