"""Why a run is as it is: rules that judge its record and its model, each with its figure."""
