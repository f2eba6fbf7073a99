import { type Random } from "@pleiad/ports";
export declare function nodeRandom(): Random;
