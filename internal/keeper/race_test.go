//go:build linux && race

package keeper

const raceDetector = true
