/** Names of the network, as a resolver has them. */
export interface Names {
  /** The addresses of a host, at least one, IPv6 without brackets. Rejects with an Error that says why there are none. */
  hostAddresses(host: string): Promise<readonly string[]>;
  /** The targets of an SRV record, at least one. Rejects likewise. */
  services(name: string): Promise<readonly ServiceTarget[]>;
}

export interface ServiceTarget {
  readonly host: string;
  readonly port: number;
}
