export function Source() { return <div>Source</div> }
