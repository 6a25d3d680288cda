export function MappingEditor() { return <div>MappingEditor</div> }
