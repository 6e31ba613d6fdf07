/** Kinds of frames. */
export const stdout = 1;
export const stderr = 2;
export const event = 3;
