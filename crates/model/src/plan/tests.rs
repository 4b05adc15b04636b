//! Tests of the planner live here.
