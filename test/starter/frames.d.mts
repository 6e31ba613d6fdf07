export declare const stdout: number;
export declare const stderr: number;
export declare const event: number;
