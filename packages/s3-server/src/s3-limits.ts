/** The bounds of the server. Each request holds at most `pieceBytes` of what it sends, and `chunkBytesMax` of what comes. */
export interface S3Limits {
  readonly requestsMax: number; // under way at once; over it: SlowDown
  readonly objectBytesMax: number; // in one PUT, or of one part
  readonly partBytesMin: number; // but of the last part
  readonly partsMax: number; // of one upload
  readonly uploadsMax: number; // under way at once; over it: SlowDown
  readonly uploadMsMax: number; // an upload that began before may be removed
  readonly documentBytesMax: number; // of a request's XML or JSON
  readonly metadataBytesMax: number; // of an object's own headers
  readonly pieceBytes: number;
  readonly chunkBytesMax: number;
  readonly skewMsMax: number; // between our clock and a client's
}

/** S3's own where it has one. */
export const defaultS3Limits: S3Limits = {
  requestsMax: 256,
  objectBytesMax: 5 * 2 ** 30,
  partBytesMin: 5 * 2 ** 20,
  partsMax: 10_000,
  uploadsMax: 1000,
  uploadMsMax: 24 * 3_600_000,
  documentBytesMax: 2 ** 21,
  metadataBytesMax: 2048,
  pieceBytes: 4 * 2 ** 20,
  chunkBytesMax: 16 * 2 ** 20,
  skewMsMax: 15 * 60_000,
};
