// Policy-gradient losses of completions, and their derivatives with respect to the log-probability of each action. One
// invocation a completion; every action belongs to one completion at most.
const WORKGROUP = 32u;

struct Params {
  completions: u32,
  depth: u32,   // places a completion has in `places`
  actions: u32,
  ratio: u32,   // 0 of each token, 1 mean over the completion's tokens, 2 their sum
  kl: u32,      // estimator 1, 2 or 3
  low: f32,     // bounds of the ratio
  high: f32,
  kl_coefficient: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> places: array<u32>; // numbers that are no action are left out
@group(0) @binding(11) var<storage, read> log_probs: array<f32>;
@group(0) @binding(12) var<storage, read_write> coefficients: array<f32>;
@group(0) @binding(13) var<storage, read_write> statistics: array<vec4f>; // two a completion

// exp() of more is what it is of this, 4.85e8: squares of gradients stay finite too.
const LARGEST_EXPONENT = 20.0;

// exp(x) - 1 without its cancellation near 0
fn exp_minus_1(x: f32) -> f32 {
  if (abs(x) < 0.1) { return x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))); }
  return exp(min(x, LARGEST_EXPONENT)) - 1;
}

@group(0) @binding(14) var<storage, read> old_log_probs: array<f32>;
@group(0) @binding(15) var<storage, read> advantages: array<f32>;
@group(0) @binding(16) var<storage, read> weights: array<f32>;

struct Surrogate { value: f32, slope: f32, clipped: f32 }

// min(r A, clip(r) A), its derivative with respect to log r, and whether the second was the smaller
fn surrogate(log_ratio: f32, advantage: f32) -> Surrogate {
  let r = exp(min(log_ratio, LARGEST_EXPONENT));
  let plain = r * advantage;
  let bounded = clamp(r, params.low, params.high) * advantage;
  if (bounded < plain) { return Surrogate(bounded, 0, 1); }
  return Surrogate(plain, plain, 0);
}

// -> coefficients (R), statistics: policy loss, clipped tokens; tokens, largest |log ratio|, sum of log-probabilities
@compute @workgroup_size(WORKGROUP) fn policy_surrogate(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let completion = linear_index(id, count, WORKGROUP);
  if (completion >= params.completions) { return; }
  let begin = completion * params.depth;
  let end = begin + params.depth;

  var tokens = 0.0;
  var weight = 0.0;
  var advantage = 0.0; // of the first action
  var log_prob = 0.0;
  var log_ratio = 0.0;
  for (var i = begin; i < end; i++) {
    let a = places[i];
    if (a >= params.actions) { continue; }
    if (tokens == 0) { advantage = advantages[a]; }
    tokens += 1;
    weight += weights[a];
    log_prob += log_probs[a];
    log_ratio += log_probs[a] - old_log_probs[a];
  }
  // Of a sequence, each token moves the log-ratio by its share.
  let share = select(1.0, 1 / max(tokens, 1), params.ratio == 1);
  log_ratio *= share;
  let shared_term = surrogate(log_ratio, advantage);

  var loss = 0.0;
  var clipped = 0.0;
  var largest = 0.0;
  for (var i = begin; i < end; i++) {
    let a = places[i];
    if (a >= params.actions) { continue; }
    if (params.ratio == 0) {
      let of_token = log_probs[a] - old_log_probs[a];
      let term = surrogate(of_token, advantages[a]);
      loss -= weights[a] * term.value;
      clipped += term.clipped;
      largest = max(largest, abs(of_token));
      coefficients[a] = -weights[a] * term.slope;
    } else {
      coefficients[a] = -weight * share * shared_term.slope;
    }
  }
  if (params.ratio != 0) {
    loss = -weight * shared_term.value;
    clipped = tokens * shared_term.clipped;
    largest = abs(log_ratio);
  }
  statistics[2 * completion] = vec4f(loss, 0, 0, clipped);
  statistics[2 * completion + 1] = vec4f(tokens, largest, 0, log_prob);
}

@group(0) @binding(14) var<storage, read> reference_log_probs: array<f32>;
@group(0) @binding(15) var<storage, read> supervised: array<f32>;

// After policy_surrogate, added: KL loss and supervised loss to coefficients (R); to statistics KL loss, sum of k3;
// supervised loss. Estimators of Schulman 2020, "Approximating KL divergence".
@compute @workgroup_size(WORKGROUP) fn policy_regularisers(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let completion = linear_index(id, count, WORKGROUP);
  if (completion >= params.completions) { return; }
  let begin = completion * params.depth;
  var loss = 0.0;
  var divergence = 0.0;
  var likelihood = 0.0;
  for (var i = begin; i < begin + params.depth; i++) {
    let a = places[i];
    if (a >= params.actions) { continue; }
    let d = reference_log_probs[a] - log_probs[a];
    let growth = exp_minus_1(d);
    let k3 = growth - d;
    var kl = k3;
    var slope = -growth;
    if (params.kl == 1) {
      kl = -d;
      slope = 1.0;
    } else if (params.kl == 2) {
      kl = d * d / 2;
      slope = -d;
    }
    loss += weights[a] * kl;
    divergence += k3;
    likelihood -= supervised[a] * log_probs[a];
    coefficients[a] += params.kl_coefficient * weights[a] * slope - supervised[a];
  }
  statistics[2 * completion] += vec4f(0, loss, divergence, 0);
  statistics[2 * completion + 1] += vec4f(0, 0, likelihood, 0);
}
