/** A port of a Service, by number or by name. */
export interface ServicePort {
  readonly namespace: string;
  readonly service: string;
  readonly port: number | string;
}
