import { type FileSystem } from "@pleiad/ports";
export declare function nodeFiles(): FileSystem;
