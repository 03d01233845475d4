// examples/precision_chart.cpp: see the header.
#include "precision_chart.h"

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace examples {
namespace {

struct Column {
  const char* title;
  double PrecisionResult::*value;
  int decimals;
};

constexpr Column kColumns[] = {
    {"samples/s", &PrecisionResult::samples_per_second, 1},
    {"peak MB per rank", &PrecisionResult::peak_megabytes, 0},
    {"training loss", &PrecisionResult::loss, 3},
    {"test accuracy", &PrecisionResult::accuracy, 3},
};

// Lengths in the picture's units, pixels at full size.
constexpr double kPanelWidth = 190;
constexpr double kBarWidth = 40;
constexpr double kBarGap = 12;
constexpr double kTop = 64;
constexpr double kBarHeight = 150; // of the largest
constexpr double kHeight = 260;
constexpr const char* kColours[] = {"#4c6a92", "#c9793a", "#5c8f58"};

std::string fixed(double value, int decimals) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(decimals) << value;
  return text.str();
}

void write_text(
    std::ostream& out,
    double x,
    double y,
    const std::string& text,
    const char* style = "") {
  out << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"middle\""
      << style << '>' << text << "</text>\n";
}

/// One group of bars; all begin at 0, so that lengths compare.
void write_panel(
    std::ostream& out,
    double left,
    const Column& column,
    const std::vector<PrecisionResult>& results) {
  double largest = 0;
  for (const PrecisionResult& result : results) {
    largest = std::max(largest, result.*column.value);
  }
  const double bars =
      static_cast<double>(results.size()) * (kBarWidth + kBarGap) - kBarGap;
  write_text(
      out,
      left + kPanelWidth / 2,
      kTop - 24,
      column.title,
      " font-weight=\"bold\"");
  double x = left + (kPanelWidth - bars) / 2;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const double value = results[i].*column.value;
    const double height = largest > 0 ? kBarHeight * value / largest : 0;
    const double y = kTop + kBarHeight - height;
    out << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << kBarWidth
        << "\" height=\"" << height << "\" fill=\""
        << kColours[i % std::size(kColours)] << "\"/>\n";
    const double middle = x + kBarWidth / 2;
    write_text(out, middle, y - 5, fixed(value, column.decimals));
    write_text(
        out,
        middle,
        kTop + kBarHeight + 18,
        display_name(results[i].precision));
    x += kBarWidth + kBarGap;
  }
}

} // namespace

std::string display_name(const std::string& precision) {
  return precision == "no" ? "fp32" : precision;
}

void print_table(
    std::ostream& out,
    const std::vector<PrecisionResult>& results) {
  out << "precision";
  for (const Column& column : kColumns) {
    out << std::setw(18) << column.title;
  }
  out << '\n';
  for (const PrecisionResult& result : results) {
    out << std::left << std::setw(9) << display_name(result.precision)
        << std::right;
    for (const Column& column : kColumns) {
      out << std::setw(18) << fixed(result.*column.value, column.decimals);
    }
    out << '\n';
  }
}

void write_picture(
    const std::string& path,
    const std::vector<PrecisionResult>& results) {
  std::ofstream out(path);
  const double width = kPanelWidth * std::size(kColumns);
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width
      << "\" height=\"" << kHeight << "\" viewBox=\"0 0 " << width << ' '
      << kHeight << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
      << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  double left = 0;
  for (const Column& column : kColumns) {
    write_panel(out, left, column, results);
    left += kPanelWidth;
  }
  out << "</svg>\n" << std::flush;
  if (!out) {
    throw std::runtime_error("cannot write the picture '" + path + "'");
  }
}

} // namespace examples
