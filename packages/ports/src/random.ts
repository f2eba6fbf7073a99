/** Randomness that a run can repeat: every consumer forks its own stream by name, so that a new one shifts no other. */
export interface Random {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform whole number in [0, below). */
  int(below: number): number;
  fork(name: string): Random;
}

/** A deterministic source from one seed (splitmix over 32 bits). Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const uint32 = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return {
    uint32,
    float: () => uint32() / 4_294_967_296,
    int: (below) => Math.floor((uint32() / 4_294_967_296) * below),
    fork: (name) => {
      let hash = seed ^ 0x811c9dc5;
      for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
      return seededRandom(hash >>> 0);
    },
  };
}
