export * from './tenancy.ts';
export * from './integrations.ts';
export * from './discovery.ts';
export * from './imports.ts';
export * from './records.ts';
export * from './estimates.ts';
export * from './syncs.ts';
export * from './events.ts';
